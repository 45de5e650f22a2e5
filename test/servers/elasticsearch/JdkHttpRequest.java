package logkeep.server;

import com.sun.net.httpserver.HttpExchange;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.elasticsearch.common.bytes.BytesArray;
import org.elasticsearch.common.bytes.BytesReference;
import org.elasticsearch.http.HttpBody;
import org.elasticsearch.http.HttpRequest;
import org.elasticsearch.http.HttpResponse;
import org.elasticsearch.rest.ChunkedRestResponseBodyPart;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestStatus;

/** A request that has been read whole. */
final class JdkHttpRequest implements HttpRequest {
    private final Method method;
    private final String uri;
    private final HttpVersion version;
    private final Map<String, List<String>> headers;
    private HttpBody body;

    private JdkHttpRequest(
        Method method, String uri, HttpVersion version, Map<String, List<String>> headers, HttpBody body
    ) {
        this.method = method;
        this.uri = uri;
        this.version = version;
        this.headers = headers;
        this.body = body;
    }

    static JdkHttpRequest of(HttpExchange exchange, Map<String, List<String>> headers, byte[] bytes) {
        Method method = Method.valueOf(exchange.getRequestMethod());
        boolean isOld = exchange.getProtocol().endsWith("/1.0");
        HttpVersion version = isOld ? HttpVersion.HTTP_1_0 : HttpVersion.HTTP_1_1;
        HttpBody body = bytes.length == 0 ? HttpBody.empty() : HttpBody.fromBytesReference(new BytesArray(bytes));
        return new JdkHttpRequest(method, exchange.getRequestURI().toString(), version, headers, body);
    }

    @Override
    public Method method() {
        return method;
    }

    @Override
    public String uri() {
        return uri;
    }

    @Override
    public Map<String, List<String>> getHeaders() {
        return headers;
    }

    @Override
    public HttpVersion protocolVersion() {
        return version;
    }

    @Override
    public HttpBody body() {
        return body;
    }

    @Override
    public void setBody(HttpBody given) {
        body = given;
    }

    @Override
    public boolean hasContent() {
        return !body.isEmpty();
    }

    @Override
    public List<String> strictCookies() {
        return List.of();
    }

    @Override
    public HttpRequest removeHeader(String name) {
        Map<String, List<String>> left = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        left.putAll(headers);
        left.remove(name);
        return new JdkHttpRequest(method, uri, version, left, body);
    }

    @Override
    public HttpResponse createResponse(RestStatus status, BytesReference content) {
        return new JdkHttpResponse(status, content, null);
    }

    @Override
    public HttpResponse createResponse(RestStatus status, ChunkedRestResponseBodyPart firstPart) {
        return new JdkHttpResponse(status, null, firstPart);
    }

    @Override
    public Exception getInboundException() {
        return null;
    }

    @Override
    public void release() {}
}
