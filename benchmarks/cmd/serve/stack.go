package main

import (
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	gincors "github.com/gin-contrib/cors"
	"github.com/gin-contrib/requestid"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	chicors "github.com/go-chi/cors"
	"github.com/go-chi/httprate"
	"github.com/gofiber/fiber/v3"
	fibercors "github.com/gofiber/fiber/v3/middleware/cors"
	"github.com/gofiber/fiber/v3/middleware/helmet"
	fiberlimiter "github.com/gofiber/fiber/v3/middleware/limiter"
	fiberlogger "github.com/gofiber/fiber/v3/middleware/logger"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"
	fiberid "github.com/gofiber/fiber/v3/middleware/requestid"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"
	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/ulule/limiter/v3"
	ginlimiter "github.com/ulule/limiter/v3/drivers/middleware/gin"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	"github.com/unrolled/secure"
)

const (
	allowed    = "https://app.example" // the origin that CORS allows
	perSecond  = 1_000_000             // requests of one client; the load never reaches it
	framing    = "DENY"
	policy     = "default-src 'self'"
	noReferrer = "no-referrer"
)

// sink is a log that nobody reads. It is not io.Discard, for which package log would
// format nothing.
type sink struct{}

func (sink) Write(b []byte) (int, error) { return len(b), nil }

func logToSink() { slog.SetDefault(slog.New(slog.NewTextHandler(sink{}, nil))) }

// stacks serve JSON at /json with the middleware that each framework's users take, the
// framework's own if it has it: request id, logger, recover, CORS, security headers, and
// with limit a rate limit in memory. All send the same id, CORS and security headers; the
// headers of the rate limit differ.
var stacks = map[string]func(l net.Listener, limit bool) error{
	"chi":               stackChi,
	"gin":               stackGin,
	"echo":              stackEcho,
	"fiber":             stackFiber, // whose helmet cannot leave out six more headers
	"nextrush":          stackNextrush(nextrush.ServerAuto),
	"nextrush-net/http": stackNextrush(nextrush.ServerNetHTTP),
}

func stackChi(l net.Listener, limit bool) error {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestID, sendRequestID,
		chimiddleware.RequestLogger(&chimiddleware.DefaultLogFormatter{Logger: log.New(sink{}, "", log.LstdFlags), NoColor: true}),
		chimiddleware.Recoverer,
		chicors.Handler(chicors.Options{AllowedOrigins: []string{allowed}}),
		secure.New(secure.Options{
			ContentTypeNosniff: true, FrameDeny: true, ContentSecurityPolicy: policy, ReferrerPolicy: noReferrer,
		}).Handler)
	if limit {
		r.Use(chimiddleware.ClientIPFromRemoteAddr, httprate.LimitBy(perSecond, time.Second, chiClient))
	}
	r.Get("/json", object)
	return http.Serve(l, r)
}

// chiClient returns the key that httprate's documentation asks for.
func chiClient(r *http.Request) (string, error) {
	return httprate.CanonicalizeIP(chimiddleware.GetClientIP(r.Context())), nil
}

// sendRequestID sends the request's id, which chi leaves to its users.
func sendRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(chimiddleware.RequestIDHeader, chimiddleware.GetReqID(r.Context()))
		next.ServeHTTP(w, r)
	})
}

func stackGin(l net.Listener, limit bool) error {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(requestid.New(), gin.LoggerWithWriter(sink{}), gin.RecoveryWithWriter(io.Discard),
		gincors.New(gincors.Config{AllowOrigins: []string{allowed}}), ginSecure)
	if limit {
		rate := limiter.Rate{Period: time.Second, Limit: perSecond}
		r.Use(ginlimiter.NewMiddleware(limiter.New(memory.NewStore(), rate)))
	}
	r.GET("/json", func(c *gin.Context) { c.JSON(200, message{hello}) })
	return http.Serve(l, r)
}

// ginSecure sets the headers by hand, as in gin's own documentation.
func ginSecure(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Frame-Options", framing)
	c.Header("Content-Security-Policy", policy)
	c.Header("Referrer-Policy", noReferrer)
	c.Next()
}

func stackEcho(l net.Listener, limit bool) error {
	logToSink()
	e := echo.New()
	e.Use(echomiddleware.RequestID(), echomiddleware.RequestLogger(), echomiddleware.Recover(),
		echomiddleware.CORSWithConfig(echomiddleware.CORSConfig{AllowOrigins: []string{allowed}}),
		echomiddleware.SecureWithConfig(echomiddleware.SecureConfig{
			ContentTypeNosniff: "nosniff", XFrameOptions: framing, ContentSecurityPolicy: policy, ReferrerPolicy: noReferrer,
		}))
	if limit {
		e.Use(echomiddleware.RateLimiter(echomiddleware.NewRateLimiterMemoryStoreWithConfig(
			echomiddleware.RateLimiterMemoryStoreConfig{Rate: perSecond, Burst: perSecond})))
	}
	e.GET("/json", func(c echo.Context) error { return c.JSON(200, message{hello}) })
	return http.Serve(l, e)
}

func stackFiber(l net.Listener, limit bool) error {
	app := fiber.New()
	app.Use(fiberid.New(), fiberlogger.New(fiberlogger.Config{Stream: sink{}}), fiberrecover.New(),
		fibercors.New(fibercors.Config{AllowOrigins: []string{allowed}}),
		helmet.New(helmet.Config{XFrameOptions: framing, ContentSecurityPolicy: policy, ReferrerPolicy: noReferrer}))
	if limit {
		app.Use(fiberlimiter.New(fiberlimiter.Config{Max: perSecond, Expiration: time.Second}))
	}
	app.Get("/json", func(c fiber.Ctx) error { return c.JSON(message{hello}) })
	return app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}

func stackNextrush(kind nextrush.ServerKind) func(l net.Listener, limit bool) error {
	return func(l net.Listener, limit bool) error {
		logToSink()
		app := nextrush.New(nextrush.Options{Server: kind})
		app.Use(middleware.RequestID(), middleware.Logger(), middleware.Recover(),
			middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{allowed}}),
			middleware.SecureHeaders(middleware.SecureHeadersOptions{
				ContentSecurityPolicy: policy, ReferrerPolicy: noReferrer,
				PermissionsPolicy: "-", CrossOriginOpenerPolicy: "-", CrossOriginResourcePolicy: "-",
			}))
		if limit {
			app.Use(middleware.RateLimit(middleware.RateLimitOptions{Requests: perSecond, Window: time.Second}))
		}
		app.Get("/json", func(c *nextrush.Context) error { return c.JSON(message{hello}) })
		return app.Serve(l)
	}
}
