package imagestream

import (
	"encoding/json"
	"maps"
	"reflect"

	imagev1 "github.com/openshift/api/image/v1"
)

// A jsonSchema is a JSON Schema of draft-07, which is what editors' language servers
// know best. It accepts all that Parse reads without a problem, null wherever the API
// takes it; of what Parse refuses it says as much as one can while people type.
type jsonSchema map[string]any

// Schema is the JSON Schema of an ImageStream, or a List of them, with the annotations
// that towpath reads.
func Schema() []byte {
	const list, stream = "#/definitions/list", "#/definitions/stream"
	s := jsonSchema{
		"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://towpath.dev/schemas/imagestream.json",
		"title":       "ImageStream",
		"description": "An OpenShift ImageStream with the annotations of towpath, or a List of them.",
		"type":        "object",
		"required":    []string{"apiVersion", "kind"},
		"properties":  jsonSchema{"apiVersion": enum(versions...), "kind": enum("ImageStream", "List", "ImageStreamList")},
		"if":          jsonSchema{"required": []string{"kind"}, "properties": jsonSchema{"kind": enum("List", "ImageStreamList")}},
		"then":        jsonSchema{"$ref": list},
		"else":        jsonSchema{"$ref": stream},
		"definitions": jsonSchema{
			"stream": streamForm(),
			"list": jsonSchema{
				"type": "object",
				"properties": jsonSchema{"items": jsonSchema{"type": []string{"array", "null"}, "items": jsonSchema{
					"if": jsonSchema{"required": []string{"kind"}, "properties": jsonSchema{"kind": enum("ImageStream")}}, "then": jsonSchema{"$ref": stream},
				}}},
			},
		},
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("imagestream: " + err.Error()) // it is made of words and numbers
	}
	return append(text, '\n')
}

// versions are the apiVersions that are read.
var versions = []string{imagev1.GroupVersion.String(), "v1"}

func streamForm() jsonSchema {
	docs := docsOf(reflect.TypeFor[imagev1.ImageStream]())
	return jsonSchema{
		"type": "object", "additionalProperties": false,
		"required": []string{"apiVersion", "kind", "metadata"},
		"properties": jsonSchema{
			"apiVersion": enum(versions...),
			"kind":       enum("ImageStream"),
			"metadata":   metadataForm(),
			"spec":       formOf("spec", reflect.TypeFor[imagev1.ImageStreamSpec](), true).describe(docs["spec"]),
			"status": formOf("status", reflect.TypeFor[imagev1.ImageStreamStatus](), false).
				describe("What is on record: what each tag is, was, and was resolved from. Written by towpath; nothing to write by hand."),
		},
	}
}

// metadataForm has what people write; whatever else there may be is left to the API.
func metadataForm() jsonSchema {
	labels := jsonSchema{"type": []string{"object", "null"}, "additionalProperties": jsonSchema{"type": []string{"string", "null"}}}
	return jsonSchema{
		"type": "object", "required": []string{"name"},
		"properties": jsonSchema{
			"name": jsonSchema{
				"type": "string", "pattern": streamName.String(), "maxLength": 254,
				"patternErrorMessage": "use lower case letters and digits, with single '.', '_' or '-' between them",
			},
			"namespace":   jsonSchema{"allOf": []jsonSchema{namespaceForm}, "description": "Where it is left out, `namespaces` of .towpath.yaml says which; else `default`."},
			"labels":      labels,
			"annotations": annotations(streamKeys, streamAnnotations),
		},
	}
}

// formOf is the schema of a type of the API: the key is the way to it. Strict ones
// allow no other fields than the API's.
func formOf(key string, t reflect.Type, strict bool) jsonSchema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := jsonSchema{}
	switch kind := t.Kind(); {
	case t == timeType || kind == reflect.String:
		s["type"] = []string{"string", "null"}
	case kind == reflect.Bool:
		s["type"] = []string{"boolean", "null"}
	case kind == reflect.Int64:
		s["type"] = []string{"integer", "null"}
	case kind == reflect.Slice:
		s["type"], s["items"] = []string{"array", "null"}, formOf(key+"[]", t.Elem(), strict)
	case kind == reflect.Map:
		s["type"], s["additionalProperties"] = []string{"object", "null"}, formOf(key+"{}", t.Elem(), strict)
	default:
		s["type"], s["properties"] = []string{"object", "null"}, fieldsForm(key, t, strict)
		if strict {
			s["additionalProperties"] = false
		}
	}
	maps.Copy(s, special[key])
	return s
}

func fieldsForm(key string, t reflect.Type, strict bool) jsonSchema {
	docs, fields := docsOf(t), jsonSchema{}
	for name, field := range streamSchema[t] {
		fields[name] = formOf(key+"."+name, field, strict).describe(docs[name])
	}
	return fields
}

// docsOf is what the API says of a type's fields.
func docsOf(t reflect.Type) map[string]string {
	if d, ok := reflect.Zero(t).Interface().(interface{ SwaggerDoc() map[string]string }); ok {
		return d.SwaggerDoc()
	}
	return nil
}

// describe adds a description where there is none.
func (s jsonSchema) describe(text string) jsonSchema {
	if _, has := s["description"]; !has && text != "" {
		s["description"] = text
	}
	return s
}

func enum(values ...string) jsonSchema { return jsonSchema{"enum": values} }
