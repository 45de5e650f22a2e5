package logkeep.server;

import com.sun.net.httpserver.Headers;
import java.util.ArrayList;
import java.util.List;
import org.elasticsearch.common.bytes.BytesReference;
import org.elasticsearch.http.HttpResponse;
import org.elasticsearch.rest.ChunkedRestResponseBodyPart;
import org.elasticsearch.rest.RestStatus;

/** An answer as the server gives it: a body, or parts that are made while they are sent. */
final class JdkHttpResponse implements HttpResponse {
    private static final String LENGTH = "content-length";

    private record Header(String name, String value) {}

    private final RestStatus status;
    private final BytesReference body;
    private final ChunkedRestResponseBodyPart parts;
    private final List<Header> headers = new ArrayList<>();

    JdkHttpResponse(RestStatus status, BytesReference body, ChunkedRestResponseBodyPart parts) {
        this.status = status;
        this.body = body;
        this.parts = parts;
    }

    int status() {
        return status.getStatus();
    }

    /** Null when it comes in parts. */
    BytesReference body() {
        return body;
    }

    ChunkedRestResponseBodyPart parts() {
        return parts;
    }

    /** The JDK writes the length itself, unless there is no body to tell it by. */
    void writeHeaders(Headers out, boolean isHead) {
        for (Header header : headers) {
            boolean isLength = header.name.equalsIgnoreCase(LENGTH);
            if (!isLength || isHead) out.add(header.name, header.value);
        }
    }

    @Override
    public void addHeader(String name, String value) {
        headers.add(new Header(name, value));
    }

    @Override
    public boolean containsHeader(String name) {
        return headers.stream().anyMatch(header -> header.name.equalsIgnoreCase(name));
    }
}
