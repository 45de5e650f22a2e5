/** Limits of queries that Elasticsearch answers, each with its reason. */

/** Conditions of one query that are asked of Elasticsearch, which bounds clauses; further ones are ours to decide. */
export const leavesMax = 400;

/** Levels of a query that are asked of Elasticsearch, which refuses more than 30 levels of its own. */
export const depthMax = 12;

/** Words of one condition that are asked for; a record that has this many is rare enough. */
export const wordsPerLeafMax = 16;

/** Records in one page. A page is parsed by a worker in one turn, and Elasticsearch gives 10,000 at most. */
export const pageRowsMax = 4_096;

/** Records of a page where the filter is only narrowed and few are wanted: most of them may not match. */
export const pageRowsMin = 256;

/** Bytes of one page; a longer one is asked for again with fewer records. */
export const pageBytesMax = 8 << 20;

/** Bytes of a page of one record: a record of 1 MiB, each byte escaped, and what is around it. */
export const recordBytesMax = 16 << 20;

/** Slices of one question that are read side by side; each has one page in memory. */
export const slicesMax = 4;

/** Matching records from which slices pay: fewer are one or two pages. */
export const slicedRowsMin = 2 * pageRowsMax;

/** Groups of one answer of Elasticsearch: far below its own limit of buckets, and made into rows in one turn. */
export const groupsPageMax = 2_000;

/** Time for which a point in time outlives the question that it was opened for, should nobody close it. */
export const keepAliveExtraMs = 30_000;

/** The longest that Elasticsearch lets a point in time live; each request begins its time anew. */
export const keepAliveMaxMs = 24 * 60 * 60_000;

/** Bytes of index names that fit into one path; more are picked by a filter. */
export const pathNamesBytesMax = 3_000;

/** Bytes of an answer that is read whole: names of indices, one page of groups. */
export const answerBytesMax = 32 << 20;

/** Time in which a point in time must have been closed; after it, it is left to end by itself. */
export const closeTimeoutMs = 5_000;

/** Fields that are counted in one request, each an aggregation of its own. */
export const fieldsPageMax = 500;

/** Fields of a tenant's indices beyond which records are read instead: most would be of other records. */
export const fieldsCountedMax = 2_000;

/** Streams of a range that are looked through for a pattern of a label, in one turn; with more the pattern is left to workers. */
export const streamsKnownMax = 1_000;

/** Requests under way at a time, of all questions: their pages are in the memory of Elasticsearch as well. */
export const requestsMax = 8;

/** Tries of a request that Elasticsearch has no room for, and the wait before the second; each further one is twice as long. */
export const busyTriesMax = 6;
export const busyWaitMs = 100;
