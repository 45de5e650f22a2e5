package logkeep.server;

import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * One node of the real server: HOME PORT. HOME holds `plugins/` and, from the first start on, the data; port 0 picks a
 * free one. Prints `ready PORT` when it serves.
 */
public final class ServerMain {
    private static final String NAME = "test";

    private ServerMain() {}

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]);
        Path config = Files.createDirectories(home.resolve("config"));
        LogConfigurator.configureESLogging();
        LogConfigurator.setNodeName(NAME);
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("node.name", NAME)
            .put("cluster.name", "logkeep-test")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("http.type", TestPlugin.HTTP)
            .put("transport.type", TestPlugin.NO_TRANSPORT)
            // A disk that others have filled must not make indices read-only in the middle of a test.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        var environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> NAME);
        var plugins = PluginsLoader.loadPluginsBundles(home.resolve("plugins"), false);
        Node node = new Node(environment, PluginsLoader.createPluginsLoader(Set.of(), plugins, Map.of(), false));
        node.start();
        var http = node.injector().getInstance(HttpServerTransport.class);
        InetSocketAddress bound = http.boundAddress().publishAddress().address();
        System.out.println("ready " + bound.getPort());
        new CountDownLatch(1).await();
    }
}
