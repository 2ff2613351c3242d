import { testBounded } from './bounded.js';

testBounded('kill');
