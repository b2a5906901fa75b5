/*-------------------------------------------------------------------------
 *
 * tl_limits.h
 *	  Every bound of the ledger's formats, checked where data enters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_LIMITS_H
#define TL_LIMITS_H

#define TL_BATCH_ROWS_MAX			65536
#define TL_BATCH_BODY_SIZE_MAX		(32 * 1024 * 1024)
#define TL_BATCH_SECTIONS_MAX		65535
#define TL_BATCH_CHUNKS_MAX			131072
#define TL_CHUNK_SIZE_MAX			(1024 * 1024)
#define TL_BLOCK_BATCHES_MAX		1024
#define TL_MEMBER_COUNT_MAX			64
#define TL_MEMBER_NAME_SIZE_MAX		63
#define TL_READER_COUNT_MAX			64
#define TL_COLUMN_COUNT_MAX			1600
#define TL_ATTRIBUTE_NUMBER_MAX		1600
#define TL_NAME_SIZE_MAX			63
#define TL_ROW_SIZE_MAX				(1024 * 1024 * 1024 - 1)
#define TL_SHARED_ROW_SIZE_MAX		(16 * 1024 * 1024)
#define TL_SHARED_JSON_DEPTH_MAX	64
#define TL_SHARED_VALUE_ITEMS_MAX	1000000
#define TL_TRANSACTION_MAX			((UINT64_C(1) << 48) - 1)
#define TL_MERKLE_DEPTH_MAX			64
#define TL_LOG_PAYLOAD_SIZE_MAX		(16 * 1024 * 1024)
#define TL_RECEIPT_SIZE_MAX			(1024 * 1024 * 1024 - 1)
#define TL_RECEIPTS_SIZE_MAX		(256 * 1024 * 1024 - 1)
#define TL_RECEIPTS_ROWS_MAX		1000000
#define TL_RECEIPT_OUTCOMES_MAX		4096	/* rejected between two checkpoints */
/* Of the state that a member shows: rows until it is so large, and the last of them whole. */
#define TL_STATE_PIECE_SIZE_MIN		(1024 * 1024)
#define TL_STATE_PIECE_SIZE_MAX		(TL_STATE_PIECE_SIZE_MIN + TL_SHARED_ROW_SIZE_MAX + 4)
#define TL_EVENT_NAME_SIZE_MAX		63
#define TL_EVENT_PAYLOAD_SIZE_MAX	8192

#endif							/* TL_LIMITS_H */
