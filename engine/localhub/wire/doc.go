// Package wire writes the hub's state in the JSON shapes of GitHub's REST API, for REST answers and webhook payloads
// alike. The shapes follow GitHub's published OpenAPI description: fields that go-github v60 and other clients read are
// there, with null where GitHub has null. What is left out is listed in the README.
//
//	Host      the address under which the hub was reached; all url fields begin with it
//	Object    one JSON object
//	node id   an opaque global id: the kind and the number in base64, as GitHub's older ones were
//
// The package decides nothing and looks nothing up: a shape is a function of the values given to it.
package wire
