// Renders chat templates as Ollama does (its template.Execute): cases on standard input, texts on standard output.
package main

import (
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type message struct{ Role, Content string }

type request struct {
	Template string
	System   string
	Messages []message
}

func main() {
	var cases []request
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	texts := []string{}
	for _, c := range cases {
		var out strings.Builder
		parsed := template.Must(template.New("").Option("missingkey=zero").Parse(c.Template))
		data := map[string]any{"System": c.System, "Messages": c.Messages, "Response": ""}
		if err := parsed.Execute(&out, data); err != nil {
			panic(err)
		}
		texts = append(texts, out.String())
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(texts); err != nil {
		panic(err)
	}
}
