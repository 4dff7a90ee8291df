// Prints, as JSON, how the kinds of the Kubernetes API lie in protobuf: {"kinds": {"v1/Pod": message}, "messages":
// {message: {number: [name, type, flags]}}}. Made by reflection over k8s.io/api, so that numbers, JSON names, pointers
// and inlined structs are those of the typed clients. Its output is servers/aiops_lab/kube/protobuf_fields.json:
//
//	cd tests/cluster/controlplane && go run ./protofields > ../../../servers/aiops_lab/kube/protobuf_fields.json
//
// Flags: r repeated, m map of strings, p pointer (a zero is kept), i inlined into the object around it.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

var groups = map[string]bool{
	"v1": true, "apps/v1": true, "batch/v1": true, "policy/v1": true, "autoscaling/v1": true, "autoscaling/v2": true,
	"networking.k8s.io/v1": true, "rbac.authorization.k8s.io/v1": true, "scheduling.k8s.io/v1": true,
	"storage.k8s.io/v1": true, "coordination.k8s.io/v1": true, "authentication.k8s.io/v1": true,
	"authorization.k8s.io/v1": true, "events.k8s.io/v1": true, "discovery.k8s.io/v1": true,
}

var messages = map[string]map[string][3]string{}

// A message with a JSON form of its own is a scalar to the reader.
var special = map[string]string{
	"v1.Time": "time", "v1.MicroTime": "time", "resource.Quantity": "quantity", "intstr.IntOrString": "intstr",
	"v1.FieldsV1": "raw", "runtime.RawExtension": "raw", "v1.Duration": "duration",
}

func typeName(t reflect.Type) string {
	path := strings.Split(t.PkgPath(), "/")
	name := path[len(path)-1] + "." + t.Name()
	if kind, ok := special[name]; ok {
		return kind
	}
	if len(path) > 1 {
		name = path[len(path)-2] + "." + name
	}
	return name
}

func describe(t reflect.Type) (string, string) {
	flags := ""
	if t.Kind() == reflect.Pointer {
		t, flags = t.Elem(), "p"
	}
	switch {
	case t.Kind() == reflect.Map:
		kind, more := describe(t.Elem())
		return kind, "m" + strings.ReplaceAll(more, "p", "")
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "bytes", flags
	case t.Kind() == reflect.Slice && t.Name() != "":
		// A named list (ExtraValue) is a message with the list as its field 1.
		kind, _ := describe(t.Elem())
		name := typeName(t)
		messages[name] = map[string][3]string{"1": {"", kind, "r"}}
		return name, flags
	case t.Kind() == reflect.Slice:
		kind, _ := describe(t.Elem())
		return kind, "r"
	case t.Kind() == reflect.Struct:
		name := typeName(t)
		if strings.Contains(name, ".") {
			walk(t, name)
		}
		return name, flags
	case t.Kind() == reflect.String:
		return "string", flags
	case t.Kind() == reflect.Bool:
		return "bool", flags
	case t.Kind() == reflect.Float64:
		return "double", flags
	}
	return "int", flags
}

func walk(t reflect.Type, name string) {
	if _, done := messages[name]; done {
		return
	}
	fields := map[string][3]string{}
	messages[name] = fields
	for i := range t.NumField() {
		field := t.Field(i)
		parts := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(parts) < 2 {
			continue
		}
		kind, flags := describe(field.Type)
		said := strings.Split(field.Tag.Get("json"), ",")
		if said[0] == "" && (len(said) < 2 || said[1] == "inline") {
			flags += "i"
		}
		fields[parts[1]] = [3]string{said[0], kind, flags}
	}
}

func main() {
	kinds := map[string]string{}
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		version := gvk.GroupVersion().String()
		if !groups[version] || strings.HasSuffix(gvk.Kind, "List") || strings.HasSuffix(gvk.Kind, "Options") || gvk.Kind == "WatchEvent" {
			continue
		}
		name := typeName(t)
		walk(t, name)
		kinds[version+"/"+gvk.Kind] = name
	}
	deletion := reflect.TypeOf(metav1.DeleteOptions{})
	walk(deletion, typeName(deletion))
	kinds["DeleteOptions"] = typeName(deletion)
	fmt.Print("{\n \"kinds\": {\n")
	rows(kinds)
	fmt.Print("\n },\n \"messages\": {\n")
	rows(messages)
	fmt.Print("\n }\n}\n")
}

// One line for each entry, so that a change is one line too.
func rows[V any](entries map[string]V) {
	for place, name := range slices.Sorted(maps.Keys(entries)) {
		value, err := json.Marshal(entries[name])
		if err != nil {
			panic(err)
		}
		if place > 0 {
			fmt.Print(",\n")
		}
		fmt.Printf("  %q: %s", name, value)
	}
}
