package imagestream

import "github.com/towpath/towpath/policy"

// tagForm says what a tag's fields must be to each other.
func tagForm() jsonSchema {
	never := jsonSchema{"enum": []any{false, nil}}
	return jsonSchema{
		"type":     "object",
		"required": []string{"name"},
		"allOf": []jsonSchema{
			when(fromA(DockerImage), fromNamed(imagePart, "write an image: HOST/PATH:TAG or HOST/PATH@sha256:…")),
			when(fromA(ImageStreamTag), fromNamed(`(?:`+part(streamName)+`:)?`+part(tagName), "write TAG for a tag of this stream, or STREAM:TAG")),
			when(fromA(ImageStreamImage), fromNamed(`(?:`+part(streamName)+`@)?`+part(imageID), "write the image's digest, or STREAM@DIGEST")),
			when(fromA(ImageStreamTag, ImageStreamImage), below(never, "importPolicy", "scheduled"), below(namespaceForm, "from", "namespace")),
			when(hasOne(tagKeys), fromA(DockerImage), below(never, "reference")),
			when(hasOne(policy.Keys), fromNamed(repositoryPart, "write the repository alone: the policy chooses its tag")),
		},
	}
}

// when says what must hold, too, where something does.
func when(holds jsonSchema, then ...jsonSchema) jsonSchema {
	return jsonSchema{"if": holds, "then": jsonSchema{"allOf": then}}
}

// below says what a value must be, if it is there.
func below(s jsonSchema, path ...string) jsonSchema {
	if len(path) == 0 {
		return s
	}
	return jsonSchema{"properties": jsonSchema{path[0]: below(s, path[1:]...)}}
}

// fromA is a tag whose from is of one of the kinds.
func fromA(kinds ...string) jsonSchema {
	return jsonSchema{"required": []string{"from"}, "properties": jsonSchema{
		"from": jsonSchema{"type": "object", "required": []string{"kind"}, "properties": jsonSchema{"kind": enum(kinds...)}},
	}}
}

// fromNamed is a tag whose from.name is of a form.
func fromNamed(pattern, message string) jsonSchema {
	return below(jsonSchema{"pattern": "^" + pattern + "$", "patternErrorMessage": message}, "from", "name")
}

// hasOne is a tag that has one of our annotations.
func hasOne(keys []string) jsonSchema {
	var one []jsonSchema
	for _, key := range keys {
		one = append(one, jsonSchema{"required": []string{prefix + key}})
	}
	return jsonSchema{"required": []string{"annotations"}, "properties": jsonSchema{"annotations": jsonSchema{"type": "object", "anyOf": one}}}
}

// annotations are those of an object: of ours the known ones alone, and any others.
func annotations(keys []string, known map[string]jsonSchema) jsonSchema {
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = prefix + key
	}
	return jsonSchema{
		"type": []string{"object", "null"}, "properties": known,
		"additionalProperties": jsonSchema{"type": []string{"string", "null"}},
		"propertyNames":        jsonSchema{"anyOf": []jsonSchema{enum(names...), {"not": jsonSchema{"pattern": `^towpath\.dev/`}}}},
	}
}

// tagAnnotationsForm lets no part of a policy stand without the policy.
func tagAnnotationsForm() jsonSchema {
	s, needs := annotations(tagKeys, tagAnnotations), jsonSchema{}
	for _, key := range policy.Keys {
		if key != "policy" {
			needs[prefix+key] = []string{prefix + "policy"}
		}
	}
	s["dependencies"] = needs
	return s
}
