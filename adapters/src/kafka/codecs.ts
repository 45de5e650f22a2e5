import { promisify } from "node:util";
import { gunzip, gzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { CodecFault } from "./codec-fault.ts";
import { inflatedMaxBytes } from "./limits.ts";
import { lz4Decompress } from "./lz4.ts";
import { snappyDecompress } from "./snappy.ts";

interface Encoded {
  readonly buffer: Buffer;
}

const bounded = { maxOutputLength: inflatedMaxBytes };

/**
 * Gives kafkajs, which keeps one table for the whole process, a codec for each compression that Kafka has; what they
 * inflate is bounded. Snappy and LZ4 are only read.
 */
export function registerCodecs(): void {
  const { CompressionCodecs: codecs, CompressionTypes: types } = kafkajs;
  codecs[types.GZIP] = () => ({
    compress: ({ buffer }: Encoded) => promisify(gzip)(buffer),
    decompress: (bytes: Buffer) => promisify(gunzip)(bytes, bounded),
  });
  codecs[types.ZSTD] = () => ({
    compress: ({ buffer }: Encoded) => promisify(zstdCompress)(buffer),
    decompress: (bytes: Buffer) => promisify(zstdDecompress)(bytes, bounded),
  });
  codecs[types.Snappy] = () => ({
    compress: () => Promise.reject(new CodecFault("snappy is only read")),
    decompress: async (bytes: Buffer) => snappyDecompress(bytes, inflatedMaxBytes),
  });
  codecs[types.LZ4] = () => ({
    compress: () => Promise.reject(new CodecFault("lz4 is only read")),
    decompress: async (bytes: Buffer) => lz4Decompress(bytes, inflatedMaxBytes),
  });
}
