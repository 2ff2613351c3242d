import { testBounded } from './bounded.js';

testBounded('error');
