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
	s := objectForm("ImageStream", "List", "ImageStreamList")
	s["$schema"], s["$id"] = "http://json-schema.org/draft-07/schema#", "https://towpath.dev/schemas/imagestream.json"
	s["title"], s["description"] = "ImageStream", "An OpenShift ImageStream with the annotations of towpath, or a List of them."
	// Editors complete what stands here, and not what depends on a condition.
	s["properties"].(jsonSchema)["items"] = jsonSchema{"type": []string{"array", "null"}, "items": when(ofKind("ImageStream"), ref("stream"))}
	s["required"] = []string{"apiVersion", "kind"}
	s["if"], s["else"] = ofKind("List", "ImageStreamList"), streamForm()
	docs := docsOf(reflect.TypeFor[imagev1.ImageStream]())
	s["definitions"] = jsonSchema{
		"stream":   jsonSchema{"allOf": []jsonSchema{objectForm("ImageStream"), streamForm()}},
		"metadata": metadataForm(),
		"spec":     formOf("spec", reflect.TypeFor[imagev1.ImageStreamSpec](), true).describe(docs["spec"]),
		"status": formOf("status", reflect.TypeFor[imagev1.ImageStreamStatus](), false).
			describe("What is on record: what each tag is, was, and was resolved from. Written by towpath; nothing to write by hand."),
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("imagestream: " + err.Error()) // it is made of words and numbers
	}
	return append(text, '\n')
}

// objectForm has the fields of a stream.
func objectForm(kinds ...string) jsonSchema {
	return jsonSchema{
		"type": "object",
		"properties": jsonSchema{
			"apiVersion": enum(imagev1.GroupVersion.String(), "v1"), "kind": enum(kinds...),
			"metadata": ref("metadata"), "spec": ref("spec"), "status": ref("status"),
		},
	}
}

// streamForm is what a stream must have, and all that it may have.
func streamForm() jsonSchema {
	return jsonSchema{
		"required":      []string{"apiVersion", "kind", "metadata"},
		"properties":    jsonSchema{"metadata": jsonSchema{"type": "object", "required": []string{"name"}}},
		"propertyNames": enum("apiVersion", "kind", "metadata", "spec", "status"),
	}
}

func ofKind(kinds ...string) jsonSchema {
	return jsonSchema{"required": []string{"kind"}, "properties": jsonSchema{"kind": enum(kinds...)}}
}

func ref(definition string) jsonSchema { return jsonSchema{"$ref": "#/definitions/" + definition} }

// metadataForm has what people write; whatever else there may be is left to the API.
func metadataForm() jsonSchema {
	labels := jsonSchema{"type": []string{"object", "null"}, "additionalProperties": jsonSchema{"type": []string{"string", "null"}}}
	return jsonSchema{
		"type": []string{"object", "null"},
		"properties": jsonSchema{
			"name": jsonSchema{
				"type": "string", "pattern": streamName.String(), "maxLength": 254,
				"patternErrorMessage": "use lower case letters and digits, with single '.', '_' or '-' between them",
			},
			"namespace":   jsonSchema{"allOf": []jsonSchema{namespaceForm}, "description": "Where it is left out, namespaces of .towpath.yaml says which; else default."},
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
		fields[name] = formOf(key+"."+name, field.of, strict).describe(docs[name])
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
