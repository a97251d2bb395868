// Command kube-apiserver is the control plane of one simulated cluster in one process: etcd, kube-apiserver, and the two controllers of
// kube-controller-manager that whoever deletes something relies on: the garbage collector and the namespace controller.
//
// Usage: kube-apiserver DATA-FOLDER KUBECONFIG [kube-apiserver's own flags]
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
)

const (
	etcdStartLimit  = time.Minute
	walSegmentBytes = 4 << 20
	apiPoll        = 50 * time.Millisecond
	// The garbage collector looks for new kinds this often; kube-controller-manager's 30 s would be the length of a demo.
	newKindsPeriod = time.Second
	workers        = 5
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("kube-apiserver of the lab with etcd, Kubernetes", version.Get().GitVersion)
		return
	}
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: %s DATA-FOLDER KUBECONFIG [flags]", os.Args[0]))
	}
	endpoint, err := startEtcd(filepath.Join(os.Args[1], "etcd"))
	if err != nil {
		fail(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[2])
	if err != nil {
		fail(err)
	}
	go func() {
		if err := runControllers(context.Background(), config); err != nil {
			fail(err)
		}
	}()
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{"--etcd-servers=" + endpoint}, os.Args[3:]...))
	if err := command.Execute(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "kube-apiserver of the lab:", err)
	os.Exit(1)
}

// startEtcd serves on a free port of 127.0.0.1 and returns its URL.
func startEtcd(folder string) (string, error) {
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir = folder
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "error"
	config.EnableGRPCGateway = false
	// What a killed process has written is still in the page cache; only a crash of this machine would lose it, and the lab with it.
	config.UnsafeNoFsync = true
	// Two segments are allocated at once; with etcd's 64 MB a test that copies a cluster would copy 128 MB of nothing.
	wal.SegmentSizeBytes = walSegmentBytes
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", fmt.Errorf("etcd: %w", err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return "http://" + server.Clients[0].Addr().String(), nil
	case err := <-server.Err():
		return "", fmt.Errorf("etcd: %w", err)
	case <-time.After(etcdStartLimit):
		return "", fmt.Errorf("etcd is not ready after %s", etcdStartLimit)
	}
}

// runControllers waits for the API and starts both; they run until the process ends.
func runControllers(ctx context.Context, config *rest.Config) error {
	config.QPS, config.Burst = 1000, 1000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	for {
		if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err == nil {
			break
		}
		time.Sleep(apiPoll)
	}
	typed := informers.NewSharedInformerFactory(client, 0)
	untyped := metadatainformer.NewSharedInformerFactory(objects, 0)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	started := make(chan struct{})
	collector, err := garbagecollector.NewGarbageCollector(ctx, client, objects, mapper, garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(typed, untyped), started)
	if err != nil {
		return err
	}
	namespaces := namespace.NewNamespaceController(ctx, client, objects, client.Discovery().ServerPreferredNamespacedResources,
		typed.Core().V1().Namespaces(), 0, v1.FinalizerKubernetes)
	typed.Start(ctx.Done())
	untyped.Start(ctx.Done())
	close(started)
	go collector.Run(ctx, workers, newKindsPeriod)
	go collector.Sync(ctx, client.Discovery(), newKindsPeriod)
	go namespaces.Run(ctx, workers)
	return nil
}
