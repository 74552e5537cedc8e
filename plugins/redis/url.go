package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// timeout is for one command, to connect, to write and to read.
const timeout = 3 * time.Second

// The pool is larger than what is used: after as many failures as it has places, the client
// does not try for a second at a time, also when the server is back.
const (
	poolSize = 200
	idle     = 20 // connections that stay
)

// Connect makes a client for a URL; it connects when it is used. The URL is
// redis://user:password@host:6379/0, or rediss:// for TLS. With Sentinel it is
// redis+sentinel://user:password@host1:26379,host2:26379/master, with the parameters db,
// sentinel_username and sentinel_password; with Redis Cluster it is
// redis+cluster://user:password@host1:7000,host2:7001. rediss+sentinel and rediss+cluster
// use TLS. unix:///path/to/socket is a server on this machine. Its errors do not show the URL, which may have a password.
//
// The client neither dials twice nor sends again what may have been done, and waits 3 s for an answer at
// most, or until the deadline of the context. For one server these are the parameters
// max_retries, dial_timeout, read_timeout and write_timeout of the URL; see
// redis.ParseURL of github.com/redis/go-redis.
func Connect(text string) (redis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("redis: not a URL: it begins with redis://, rediss://, redis+sentinel:// or redis+cluster://")
	}
	switch base, kind, _ := strings.Cut(scheme, "+"); {
	case scheme == "redis" || scheme == "rediss" || scheme == "unix":
		return single(text)
	case base != "redis" && base != "rediss":
	case kind == "sentinel":
		return sentinel(base + "://" + rest)
	case kind == "cluster":
		return sharded(base + "://" + rest)
	}
	return nil, fmt.Errorf("redis: %s:// is not known: it is redis, rediss, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster", scheme)
}

var errMalformed = errors.New("redis: malformed URL: the user and the password have to be percent-encoded, as by url.UserPassword")

func single(text string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(text)
	if _, ok := errors.AsType[*url.Error](err); ok {
		return nil, errMalformed
	}
	if err != nil {
		return nil, err
	}
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = cmp.Or(o.MaxRetries, -1), 1, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = cmp.Or(o.DialTimeout, timeout), cmp.Or(o.ReadTimeout, timeout), cmp.Or(o.WriteTimeout, timeout)
	o.PoolSize, o.MaxIdleConns = cmp.Or(o.PoolSize, poolSize), cmp.Or(o.MaxIdleConns, idle)
	o.Dialer = dialer(o.TLSConfig, o.DialTimeout)
	return redis.NewClient(o), nil
}

func sentinel(text string) (redis.UniversalClient, error) {
	u, hosts, err := parse(text, "26379")
	if err != nil {
		return nil, err
	}
	master, q := strings.Trim(u.Path, "/"), u.Query()
	if master == "" || strings.Contains(master, "/") {
		return nil, errors.New("redis: the path of redis+sentinel:// is the name of the master, as in redis+sentinel://host:26379/mymaster")
	}
	db, err := strconv.Atoi(cmp.Or(q.Get("db"), "0"))
	if err != nil || db < 0 {
		return nil, errors.New("redis: the db of redis+sentinel:// is not the number of a database")
	}
	o := &redis.FailoverOptions{
		MasterName: master, SentinelAddrs: hosts, SentinelUsername: q.Get("sentinel_username"), SentinelPassword: q.Get("sentinel_password"),
		DB: db, TLSConfig: encryption(u), MaxRetries: -1, DialerRetries: 1, PoolSize: poolSize, MaxIdleConns: idle, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true,
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	o.Dialer = dialer(o.TLSConfig, timeout)
	return redis.NewFailoverClient(o), nil
}

func sharded(text string) (redis.UniversalClient, error) {
	u, hosts, err := parse(text, "6379")
	if err != nil {
		return nil, err
	}
	o := &redis.ClusterOptions{
		Addrs: hosts, TLSConfig: encryption(u),
		MaxRetries: -1, DialerRetries: 1, PoolSize: poolSize, MaxIdleConns: idle, DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true,
	}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	o.Dialer = dialer(o.TLSConfig, timeout)
	return redis.NewClusterClient(o), nil
}

// encryption checks that the certificate has the name of the host.
func encryption(u *url.URL) *tls.Config {
	if u.Scheme != "rediss" {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// parse reads a URL that may have several hosts.
func parse(text, port string) (u *url.URL, hosts []string, err error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		end = i
	}
	from := strings.LastIndexByte(rest[:end], '@') + 1
	hosts = strings.Split(rest[from:end], ",")
	for i, host := range hosts {
		one, err := url.Parse(scheme + "://" + rest[:from] + host + rest[end:])
		if err != nil || one.Hostname() == "" {
			return nil, nil, errMalformed
		}
		u, hosts[i] = one, net.JoinHostPort(one.Hostname(), cmp.Or(one.Port(), port))
	}
	return u, hosts, nil
}
