package logkeep.server;

import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import org.apache.lucene.util.BytesRef;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.cluster.node.DiscoveryNode;
import org.elasticsearch.common.breaker.CircuitBreaker;
import org.elasticsearch.common.component.AbstractLifecycleComponent;
import org.elasticsearch.common.io.stream.RecyclerBytesStreamOutput;
import org.elasticsearch.common.recycler.Recycler;
import org.elasticsearch.common.transport.BoundTransportAddress;
import org.elasticsearch.common.transport.TransportAddress;
import org.elasticsearch.transport.ConnectTransportException;
import org.elasticsearch.transport.ConnectionProfile;
import org.elasticsearch.transport.Transport;
import org.elasticsearch.transport.TransportMessageListener;
import org.elasticsearch.transport.TransportStats;

/** A single node talks to no other: an address, and no connection. */
final class NoTransport extends AbstractLifecycleComponent implements Transport {
    private static final int NO_PORT = 9300;
    private static final int TIME_BUCKETS = 18;

    private final Recycler<BytesRef> recycler;
    private final ResponseHandlers responseHandlers = new ResponseHandlers();
    private final RequestHandlers requestHandlers = new RequestHandlers();
    private final BoundTransportAddress address;

    NoTransport(Recycler<BytesRef> recycler) {
        this.recycler = recycler;
        var self = new TransportAddress(InetAddress.getLoopbackAddress(), NO_PORT);
        this.address = new BoundTransportAddress(new TransportAddress[] { self }, self);
    }

    @Override
    public void setMessageListener(TransportMessageListener listener) {}

    @Override
    public BoundTransportAddress boundAddress() {
        return address;
    }

    @Override
    public BoundTransportAddress boundRemoteIngressAddress() {
        return null;
    }

    @Override
    public Map<String, BoundTransportAddress> profileBoundAddresses() {
        return Map.of();
    }

    @Override
    public TransportAddress[] addressesFromString(String text) {
        return new TransportAddress[0];
    }

    @Override
    public List<String> getDefaultSeedAddresses() {
        return List.of();
    }

    @Override
    public void openConnection(DiscoveryNode node, ConnectionProfile profile, ActionListener<Connection> listener) {
        listener.onFailure(new ConnectTransportException(node, "this node is alone"));
    }

    @Override
    public TransportStats getStats() {
        return new TransportStats(0, 0, 0, 0, 0, 0, new long[TIME_BUCKETS], new long[TIME_BUCKETS], Map.of());
    }

    @Override
    public ResponseHandlers getResponseHandlers() {
        return responseHandlers;
    }

    @Override
    public RequestHandlers getRequestHandlers() {
        return requestHandlers;
    }

    @Override
    public RecyclerBytesStreamOutput newNetworkBytesStream(CircuitBreaker breaker) {
        return new RecyclerBytesStreamOutput(recycler);
    }

    @Override
    protected void doStart() {}

    @Override
    protected void doStop() {}

    @Override
    protected void doClose() {}
}
