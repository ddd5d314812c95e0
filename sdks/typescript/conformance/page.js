// Runs cases in a page; the program that drives the browser calls this.
import { runAll } from './all.js';

window.runAll = runAll;
