package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Key is a key for one algorithm: a token is verified with the key that has its kid and
// its alg, whatever else its header says.
type Key struct {
	ID string // the kid of tokens; a token without a kid needs a key without ID
	// Key is a secret of at least 32 random bytes ([]byte), or an
	// *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey, or the public
	// part of one, which only verifies.
	Key any
	// Algorithm is one of RFC 7518 §3.1 or RFC 8037; empty: HS256, RS256, that of
	// the curve, or EdDSA.
	Algorithm string
}

// keyRef is how a token's header names its key. Keys of several algorithms may have the
// same ID (RFC 7517 §4.5).
type keyRef struct{ id, alg string }

// key is a Key that has been checked. sign is nil if it only verifies.
type key struct {
	id           string
	method       jwt.SigningMethod
	verify, sign any
}

func (k *key) ref() keyRef { return keyRef{k.id, k.method.Alg()} }

var rsaAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

func (k Key) parse() (*key, error) {
	parsed := &key{id: k.ID}
	var algorithms []string // that suit the key, the default first
	var err error
	switch material := k.Key.(type) {
	case []byte:
		algorithms, err = secretAlgorithms(material)
		parsed.verify, parsed.sign = material, material
	case *rsa.PrivateKey:
		algorithms, err = rsaAlgorithms, checkRSA(&material.PublicKey)
		parsed.verify, parsed.sign = &material.PublicKey, material
	case *rsa.PublicKey:
		algorithms, err = rsaAlgorithms, checkRSA(material)
		parsed.verify = material
	case *ecdsa.PrivateKey:
		algorithms, err = curveAlgorithm(&material.PublicKey)
		parsed.verify, parsed.sign = &material.PublicKey, material
	case *ecdsa.PublicKey:
		algorithms, err = curveAlgorithm(material)
		parsed.verify = material
	case ed25519.PrivateKey:
		algorithms = []string{"EdDSA"}
		parsed.verify, parsed.sign = material.Public(), material
	case ed25519.PublicKey:
		algorithms = []string{"EdDSA"}
		parsed.verify = material
	default:
		err = fmt.Errorf("a %T is not a key: give []byte, or a key of crypto/rsa, ecdsa or ed25519; ParsePEM reads PEM files", k.Key)
	}
	if err == nil {
		parsed.method, err = pick(k.Algorithm, algorithms)
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", k.ID, err)
	}
	return parsed, nil
}

func pick(wanted string, algorithms []string) (jwt.SigningMethod, error) {
	if wanted == "" {
		wanted = algorithms[0]
	}
	if !slices.Contains(algorithms, wanted) {
		return nil, fmt.Errorf("the algorithm %q does not suit it: use one of %v", wanted, algorithms)
	}
	return jwt.GetSigningMethod(wanted), nil
}

// secretAlgorithms applies RFC 7518 §3.2: a secret is at least as long as the hash.
func secretAlgorithms(secret []byte) ([]string, error) {
	switch n := len(secret); {
	case bytes.Contains(secret, []byte("-----BEGIN")):
		return nil, errors.New("this is a PEM file, not a secret: read it with ParsePEM")
	case n < 32:
		return nil, fmt.Errorf("a secret of %d bytes can be guessed: use 32 random ones", n)
	case n < 48:
		return []string{"HS256"}, nil
	case n < 64:
		return []string{"HS256", "HS384"}, nil
	}
	return []string{"HS256", "HS384", "HS512"}, nil
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < 2048 {
		return fmt.Errorf("an RSA key of %d bits is too short: use 2048 or more (RFC 7518 §3.3)", bits)
	}
	return nil
}

func curveAlgorithm(k *ecdsa.PublicKey) ([]string, error) {
	switch k.Curve.Params().BitSize {
	case 256:
		return []string{"ES256"}, nil
	case 384:
		return []string{"ES384"}, nil
	case 521:
		return []string{"ES512"}, nil
	}
	return nil, fmt.Errorf("curve %s has no algorithm: use P-256, P-384 or P-521", k.Curve.Params().Name)
}

// ParsePEM reads a private or public key in PEM: PKCS #8, PKCS #1, SEC 1 or
// PKIX.
func ParsePEM(id string, data []byte) (Key, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return Key{}, errors.New("auth: ParsePEM: no PEM block")
	}
	var k any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		k, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		err = fmt.Errorf("a %q is not a key", block.Type)
	}
	if err != nil {
		return Key{}, fmt.Errorf("auth: ParsePEM: %w", err)
	}
	return Key{ID: id, Key: k}, nil
}
