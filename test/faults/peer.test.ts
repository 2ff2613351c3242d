import { testBounded } from './bounded.js';

testBounded('peer');
