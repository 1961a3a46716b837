package config

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"
)

// A jsonSchema is a JSON Schema of draft-07, which is what editors' language servers
// know best. It accepts all that the decoder accepts; of what the decoder refuses it
// says as much as one can while people type.
type jsonSchema map[string]any

// RepositorySchema is the JSON Schema of .towpath.yaml.
func RepositorySchema() []byte {
	preset := reflect.ValueOf(presets())
	return document(schemaOf("", "", preset.Type(), preset), "repository", "Configuration of a repository",
		".towpath.yaml, in the root of the watched branch: which files are read, and what is written into them.")
}

// OperatorSchema is the JSON Schema of the operator's file.
func OperatorSchema() []byte {
	preset := reflect.ValueOf(*DefaultOperator())
	return document(schemaOf("", "", preset.Type(), preset), "operator", "Configuration of the operator",
		"The file of towpath run --config: the repository, credentials, registries and limits.")
}

func document(s jsonSchema, name, title, description string) []byte {
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["$id"] = "https://towpath.dev/schemas/" + name + ".json"
	s["title"], s["description"] = title, description
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: " + err.Error()) // it is made of words and numbers
	}
	return append(text, '\n')
}

// presets is the file that says what holds without it.
func presets() repositoryFile {
	f, s, image := defaultFile(), reflect.ValueOf(defaultSettings()), "image"
	o := reflect.ValueOf(&f.Defaults).Elem()
	for i := range o.NumField() {
		preset := s.FieldByName(o.Type().Field(i).Name)
		if preset.IsValid() && o.Type().Field(i).Type == reflect.PointerTo(preset.Type()) {
			p := reflect.New(preset.Type())
			p.Elem().Set(preset)
			o.Field(i).Set(p)
		}
	}
	f.Defaults.Record = &image
	return f
}

// schemaOf is the schema of a value: the key is the way to it as descriptions have it,
// preset what it is where no file says otherwise, if that is known.
func schemaOf(key string, tag reflect.StructTag, t reflect.Type, preset reflect.Value) jsonSchema {
	if t.Kind() == reflect.Pointer {
		if t = t.Elem(); preset.IsValid() {
			preset = preset.Elem() // invalid where it is nil
		}
	}
	s := jsonSchema{}
	form, own := forms[t]
	switch {
	case own:
		maps.Copy(s, form)
	case t == durationType:
		maps.Copy(s, durations(tag))
	case t.Kind() == reflect.Struct:
		s = mappingOf(key, t, preset)
	case t.Kind() == reflect.Slice:
		s["type"], s["items"] = "array", schemaOf(key+"[]", "", t.Elem(), reflect.Value{})
		if most := tag.Get("max"); most != "" {
			s["maxItems"] = number(most)
		}
	case t.Kind() == reflect.Bool:
		s["type"] = "boolean"
	case t.Kind() == reflect.Int:
		s["type"], s["minimum"], s["maximum"] = "integer", number(tag.Get("min")), number(tag.Get("max"))
	case t.Kind() == reflect.Float64:
		s["type"], s["minimum"], s["maximum"] = "number", fraction(tag.Get("min")), fraction(tag.Get("max"))
	default:
		s["type"], s["minLength"] = "string", 1
		if words := strings.Fields(tag.Get("oneof")); len(words) > 0 {
			s = jsonSchema{"enum": words}
		}
	}
	if d := descriptions[key]; d != "" {
		s["description"] = strings.ReplaceAll(d, "`", "") // editors show them as they are
	}
	if d := shown(preset, tag.Get("min")); d != nil {
		s["default"] = d
	}
	maps.Copy(s, together[key])
	return s
}

func mappingOf(key string, t reflect.Type, preset reflect.Value) jsonSchema {
	properties, required := jsonSchema{}, []string{}
	fields := fieldsOf(t)
	for _, k := range sorted(fields) {
		f := fields[k]
		name, value := join(key, k), reflect.Value{}
		if len(f.Index) > 1 { // a rule takes the keys of defaults
			name = join("defaults", k)
		} else if preset.IsValid() {
			value = preset.FieldByIndex(f.Index)
		}
		properties[k] = schemaOf(name, f.Tag, f.Type, value)
		if f.Tag.Get("need") != "" {
			required = append(required, k)
		}
	}
	s := jsonSchema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// durations are written as Go writes them. A pattern cannot hold a range.
func durations(tag reflect.StructTag) jsonSchema {
	const spans = `(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+`
	text := jsonSchema{
		"type": "string", "pattern": `^\+?` + spans + `$`,
		"patternErrorMessage": "write a number with its unit, from " + tag.Get("min") + " to " + tag.Get("max") + ", such as 90s, 15m or 1h30m",
	}
	if duration(tag.Get("min")) > 0 {
		return text
	}
	text["pattern"] = `^(?:[-+]?0|[-+]?` + spans + `)$`
	return jsonSchema{"anyOf": []jsonSchema{text, {"const": 0}}}
}

// shown is a preset as a file would have it; nil for one that prose explains, such as a
// zero below the least that may be written.
func shown(v reflect.Value, least string) any {
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case bool:
		return x
	case time.Duration:
		if x >= duration(least) {
			return short(x)
		}
	case []Glob:
		var texts []string
		for _, g := range x {
			texts = append(texts, g.text)
		}
		if texts != nil {
			return texts
		}
	default:
		if !v.IsZero() && (v.Kind() == reflect.String || v.Kind() == reflect.Int) {
			return x
		}
	}
	return nil
}

// short is a duration without the units that are zero.
func short(d time.Duration) string {
	s := d.String()
	for _, unit := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, unit) {
			s = strings.TrimSuffix(s, unit[1:])
		}
	}
	return s
}
