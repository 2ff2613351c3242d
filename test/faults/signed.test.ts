import { testBounded } from './bounded.js';

testBounded('signed');
