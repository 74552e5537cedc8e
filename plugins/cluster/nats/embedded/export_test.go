package embedded

import "context"

// Resolve has names of peers looked up by f.
func (b *Broker) Resolve(f func(ctx context.Context, host string) ([]string, error)) { b.resolve = f }

// ClientURL is where clients of the server could connect.
func (b *Broker) ClientURL() string { return b.server.ClientURL() }
