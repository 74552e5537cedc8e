// Package storetest says by tests what the stores of package middleware do, so that whoever
// writes one can test it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, open(t), time.Sleep)
//	}
package storetest
