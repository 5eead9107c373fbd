package manifests

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Table lists the values that values.yaml describes (comments that begin with "--"), with their defaults, as Markdown.
func Table(values []byte) (string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(values, &document); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("| value | default | what it is |\n|---|---|---|\n")
	if err := describe(&b, "", document.Content[0]); err != nil {
		return "", err
	}
	return b.String(), nil
}

func describe(b *strings.Builder, prefix string, node *yaml.Node) error {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := prefix + key.Value
		_, what, described := strings.Cut("\n"+key.HeadComment, "\n# -- ")
		if described {
			standard, err := inline(value)
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", name, standard, strings.ReplaceAll(strings.ReplaceAll(what, "\n# ", " "), "|", "\\|"))
			continue
		}
		if value.Kind == yaml.MappingNode {
			if err := describe(b, name+".", value); err != nil {
				return err
			}
		}
	}
	return nil
}

// inline is the value in one line.
func inline(value *yaml.Node) (string, error) {
	var plain any
	if err := value.Decode(&plain); err != nil {
		return "", err
	}
	if plain == nil {
		return "func.yaml's", nil
	}
	var flow yaml.Node
	if err := flow.Encode(plain); err != nil {
		return "", err
	}
	flow.Style = yaml.FlowStyle
	b, err := yaml.Marshal(&flow)
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", " "), err
}

// Between replaces what stands between the lines <!-- begin name --> and <!-- end name -->.
func Between(text, name, with string) (string, error) {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		return "", fmt.Errorf("no place for %s", name)
	}
	return text[:i+len(begin)] + with + text[j:], nil
}
