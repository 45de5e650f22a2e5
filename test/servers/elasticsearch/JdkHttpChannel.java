package logkeep.server;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.lucene.util.BytesRef;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.support.SubscribableListener;
import org.elasticsearch.common.bytes.BytesReference;
import org.elasticsearch.common.recycler.Recycler;
import org.elasticsearch.http.HttpChannel;
import org.elasticsearch.http.HttpResponse;
import org.elasticsearch.rest.ChunkedRestResponseBodyPart;

/** One request's way back: answered once, whole or in parts. */
final class JdkHttpChannel implements HttpChannel {
    private static final int PART_BYTES = 64 * 1024;
    private static final long ANSWER_SECONDS_MAX = 300;

    private final HttpExchange exchange;
    private final Recycler<BytesRef> recycler;
    private final boolean isHead;
    private final SubscribableListener<Void> closed = new SubscribableListener<>();
    private final CountDownLatch answered = new CountDownLatch(1);
    private volatile boolean isOpen = true;

    JdkHttpChannel(HttpExchange exchange, Recycler<BytesRef> recycler) {
        this.exchange = exchange;
        this.recycler = recycler;
        this.isHead = exchange.getRequestMethod().equals("HEAD");
    }

    /** Until the answer is out or given up: the JDK's server counts a request as done when its thread returns. */
    void awaitAnswer() {
        try {
            answered.await(ANSWER_SECONDS_MAX, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void sendResponse(HttpResponse given, ActionListener<Void> listener) {
        var response = (JdkHttpResponse) given;
        try {
            response.writeHeaders(exchange.getResponseHeaders(), isHead);
            if (response.body() != null) sendWhole(response, listener);
            else sendParts(response, listener);
        } catch (IOException | RuntimeException e) {
            fail(e, listener);
        }
    }

    private void sendWhole(JdkHttpResponse response, ActionListener<Void> listener) throws IOException {
        byte[] bytes = BytesReference.toBytes(response.body());
        boolean isBare = isHead || bytes.length == 0;
        exchange.sendResponseHeaders(response.status(), isBare ? -1 : bytes.length);
        if (!isBare) exchange.getResponseBody().write(bytes);
        finish(listener);
    }

    private void sendParts(JdkHttpResponse response, ActionListener<Void> listener) throws IOException {
        // A length of 0 means chunks to the JDK.
        exchange.sendResponseHeaders(response.status(), isHead ? -1 : 0);
        if (isHead) finish(listener);
        else sendPart(response.parts(), listener);
    }

    private void sendPart(ChunkedRestResponseBodyPart part, ActionListener<Void> listener) throws IOException {
        while (!part.isPartComplete()) {
            try (var bytes = part.encodeChunk(PART_BYTES, recycler)) {
                bytes.writeTo(exchange.getResponseBody());
            }
        }
        if (part.isLastPart()) finish(listener);
        else part.getNextPart(ActionListener.wrap(next -> sendPart(next, listener), e -> fail(e, listener)));
    }

    private void finish(ActionListener<Void> listener) {
        exchange.close();
        answered.countDown();
        listener.onResponse(null);
    }

    private void fail(Exception reason, ActionListener<Void> listener) {
        exchange.close();
        answered.countDown();
        listener.onFailure(reason);
    }

    @Override
    public InetSocketAddress getLocalAddress() {
        return exchange.getLocalAddress();
    }

    @Override
    public InetSocketAddress getRemoteAddress() {
        return exchange.getRemoteAddress();
    }

    @Override
    public void close() {
        if (!isOpen) return;
        isOpen = false;
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
