// Package rae is all six functions in one process.
package rae
