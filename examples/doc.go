// Package examples has programs, each in a folder of its own. Ten of them are
// the classic programs of Python's multiprocessing; README.md has the Python
// beside them, and python has it to run.
package examples
