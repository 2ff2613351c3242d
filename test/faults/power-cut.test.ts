import { testBounded } from './bounded.js';

testBounded('power-cut');
