// Stands for client-go: Helm's engine names its Config only for `lookup`, which nothing here calls.
module k8s.io/client-go

go 1.24.0
