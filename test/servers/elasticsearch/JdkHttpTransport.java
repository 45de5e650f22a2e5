package logkeep.server;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executors;
import java.util.function.BiConsumer;
import java.util.zip.GZIPInputStream;
import org.apache.lucene.util.BytesRef;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.support.SubscribableListener;
import org.elasticsearch.common.network.NetworkService;
import org.elasticsearch.common.recycler.Recycler;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.util.concurrent.ThreadContext;
import org.elasticsearch.http.AbstractHttpServerTransport;
import org.elasticsearch.http.HttpPreRequest;
import org.elasticsearch.http.HttpServerChannel;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.telemetry.TelemetryProvider;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.xcontent.NamedXContentRegistry;

/** The server's HTTP over the one that the JDK brings: a thread a request, bodies whole. */
final class JdkHttpTransport extends AbstractHttpServerTransport {
    private static final int BACKLOG = 128;

    private final BiConsumer<HttpPreRequest, ThreadContext> fillContext;

    JdkHttpTransport(
        Settings settings,
        NetworkService network,
        Recycler<BytesRef> recycler,
        ThreadPool threads,
        NamedXContentRegistry contents,
        Dispatcher dispatcher,
        ClusterSettings clusterSettings,
        TelemetryProvider telemetry,
        BiConsumer<HttpPreRequest, ThreadContext> fillContext
    ) {
        super(settings, network, recycler, threads, contents, dispatcher, clusterSettings, telemetry);
        this.fillContext = fillContext;
    }

    @Override
    protected void startInternal() {
        bindServer();
    }

    @Override
    protected void stopInternal() {}

    @Override
    protected void populatePerRequestThreadContext(RestRequest request, ThreadContext context) {
        fillContext.accept(request.getHttpRequest(), context);
    }

    @Override
    protected HttpServerChannel bind(InetSocketAddress address) throws IOException {
        HttpServer server = HttpServer.create(address, BACKLOG);
        server.setExecutor(Executors.newCachedThreadPool(work -> {
            // The server asserts by this name that its own work is on threads of its own.
            Thread thread = new Thread(work, "http_server_worker");
            thread.setDaemon(true);
            return thread;
        }));
        server.createContext("/", this::answer);
        server.start();
        return new Listener(server);
    }

    private void answer(HttpExchange exchange) throws IOException {
        Map<String, List<String>> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name, new ArrayList<>(values)));
        byte[] body = bodyOf(exchange, headers.remove("Content-Encoding"));
        var request = JdkHttpRequest.of(exchange, headers, body);
        var channel = new JdkHttpChannel(exchange, recycler());
        serverAcceptedChannel(channel);
        incomingRequest(request, channel);
        channel.awaitAnswer();
        channel.close();
    }

    private static byte[] bodyOf(HttpExchange exchange, List<String> encoding) throws IOException {
        boolean isGzip = encoding != null && encoding.contains("gzip");
        InputStream sent = exchange.getRequestBody();
        try (InputStream plain = isGzip ? new GZIPInputStream(sent) : sent) {
            return plain.readAllBytes();
        }
    }

    private static final class Listener implements HttpServerChannel {
        private final HttpServer server;
        private final InetSocketAddress address;
        private final SubscribableListener<Void> closed = new SubscribableListener<>();
        private volatile boolean isOpen = true;

        Listener(HttpServer server) {
            this.server = server;
            this.address = server.getAddress();
        }

        @Override
        public InetSocketAddress getLocalAddress() {
            return address;
        }

        @Override
        public void close() {
            if (!isOpen) return;
            isOpen = false;
            server.stop(0);
            closed.onResponse(null);
        }

        @Override
        public void addCloseListener(ActionListener<Void> listener) {
            closed.addListener(listener);
        }

        @Override
        public boolean isOpen() {
            return isOpen;
        }
    }
}
