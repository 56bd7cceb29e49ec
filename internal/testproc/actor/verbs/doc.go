// Package verbs is what actors can do with the primitives, of packages sync and ring: a
// test imports it, and package actor finds them by their names. It is for tests
// only.
//
// A verb's first argument is the object's name. What is noted beside a verb are
// its further arguments, those in brackets may be left out, and its answer if
// that is not ok or an error's outcome. For each kind there is a function that
// is the actor's handle by a name, for verbs that a test has of its own.
package verbs
