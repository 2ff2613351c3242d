import { testBounded } from './bounded.js';

testBounded('race', 'model');
