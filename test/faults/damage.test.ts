import { testBounded } from './bounded.js';

testBounded('damage');
