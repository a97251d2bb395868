// Reads a Grafana dashboard from stdin by Grafana's own schema: unknown and missing fields, types and limits, in the options of its panels and
// in its queries too. Prints what is wrong, one line each.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("dashboard-check of the lab, Grafana's foundation SDK 0.0.22")
		return
	}
	if err := check(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func check() error {
	// Without them the options of panels and the queries are any JSON.
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	if err := read.UnmarshalJSONStrict(text); err != nil {
		return err
	}
	// It answers with an empty list instead of nil where nothing is wrong.
	if err := read.Validate(); err != nil && err.Error() != "" {
		return err
	}
	return nil
}
