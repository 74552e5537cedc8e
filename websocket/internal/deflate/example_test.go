package deflate_test

import (
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/deflate"
)

func Example() {
	compressed := deflate.Compress(nil, []byte("Hello"), 9, 15)
	fmt.Printf("% x\n", compressed)

	_, err := deflate.Decompress(nil, compressed, nil, 4)
	fmt.Println(err)
	message, err := deflate.Decompress(nil, compressed, nil, 5)
	fmt.Println(string(message), err)
	// Output:
	// f2 48 cd c9 c9 07 00
	// deflate: message too large
	// Hello <nil>
}

func ExampleWindow() {
	sender := deflate.NewCompressor(1, 15)
	var receiver deflate.Window
	for range 2 {
		compressed := sender.Compress(nil, []byte(`{"room":"general","text":"Hello"}`))
		message, err := deflate.Decompress(nil, compressed, receiver.Bytes(), 1<<20)
		if err != nil {
			fmt.Println(err)
			return
		}
		receiver.Append(message)
		fmt.Println(string(message))
	}
	// Output:
	// {"room":"general","text":"Hello"}
	// {"room":"general","text":"Hello"}
}
