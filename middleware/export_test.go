package middleware

// NewMemoryBuckets makes the store that RateLimit has if it is given none.
func NewMemoryBuckets() RateLimitStore { return RateLimitOptions{}.withDefaults().Store }
