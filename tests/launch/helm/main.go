// Renders a chart with Helm's own loader, values, schema check and engine: `chartrender CHART VALUES.yaml...`.
//
// It prints the manifests and NOTES.txt as a JSON object of path -> text; a refusal is one line on stderr and exit
// code 1. Called by tests/launch/charts.py. Without Helm's client of clusters, so that CI builds it in seconds.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

func main() {
	if err := render(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func render(folder string, files []string) error {
	chart, err := loader.Load(folder)
	if err != nil {
		return err
	}
	if err := chart.Validate(); err != nil {
		return err
	}
	given := map[string]interface{}{}
	for _, file := range files {
		values, err := chartutil.ReadValuesFile(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		given = chartutil.CoalesceTables(values.AsMap(), given)
	}
	release := chartutil.ReleaseOptions{Name: "aiops", Namespace: "aiops-system", Revision: 1, IsInstall: true}
	able := chartutil.DefaultCapabilities.Copy()
	able.KubeVersion = chartutil.KubeVersion{Version: "v1.33.0", Major: "1", Minor: "33"}
	if chart.Metadata.KubeVersion != "" && !chartutil.IsCompatibleRange(chart.Metadata.KubeVersion, able.KubeVersion.Version) {
		return fmt.Errorf("Chart.yaml: kubeVersion %s leaves %s out", chart.Metadata.KubeVersion, able.KubeVersion.Version)
	}
	values, err := chartutil.ToRenderValues(chart, given, release, able)
	if err != nil {
		return err
	}
	rendered, err := engine.Render(chart, values)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rendered)
}
