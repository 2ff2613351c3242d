import { testBounded } from './bounded.js';

testBounded('hostile');
