// Package rest holds the one name that Helm's engine wants of client-go.
package rest

// Config would say how a cluster is reached; rendering reaches none.
type Config struct{}
