/*-------------------------------------------------------------------------
 *
 * proof_receipt.c
 *	  ledger.receipt(), ledger.tree_head() and ledger.consistency_proof():
 *	  what outsiders take home.
 *
 * The row is looked for with the caller's own rights, all columns of it, row
 * level security included; only then the chain is read with the library's.
 *
 * The receipt is checked like a stranger's before it is handed out, so that
 * damage shows here and not in court.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "proof_check.h"
#include "proof_json.h"
#include "proof_row.h"
#include "proof_show.h"
#include "proof_source.h"
#include "table_definition.h"
#include "table_ref.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_receipt);
PG_FUNCTION_INFO_V1(tl_tree_head);
PG_FUNCTION_INFO_V1(tl_consistency_proof);

static void read_proof(TlReceipt *out, Oid relation, const TlRefBytes *ref,
					   int64_t size);
static void show(TlReceipt *receipt);
static void check(const TlReceipt *receipt);
static char *write_json(const TlReceipt *receipt);
static void *allocate(size_t size);

/* ledger.receipt(relation, ref, size) -> jsonb */
Datum
tl_receipt(PG_FUNCTION_ARGS)
{
	TlRefBytes *ref;
	int64_t		size = PG_ARGISNULL(2) ? TL_SIZE_NEWEST : PG_GETARG_INT64(2);
	TlReceipt	receipt;
	Oid			relation;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ref = PG_GETARG_TLREF(1);
	relation = tl_proof_row_find(PG_GETARG_OID(0), ref);
	read_proof(&receipt, relation, ref, size);
	show(&receipt);
	check(&receipt);
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in,
										CStringGetDatum(write_json(&receipt))));
}

/* ledger.tree_head() -> text */
Datum
tl_tree_head(PG_FUNCTION_ARGS)
{
	TlProofSource source;
	TlSpan		genesis_header;
	TlSpan		genesis_body;
	TlCheckpoint checkpoint;
	TlBlockHeader header;
	TlSpan		bytes;
	TlWriter	writer;
	char		text[256];

	tl_proof_source_begin(&source);
	tl_proof_source_genesis(&genesis_header, &genesis_body);
	tl_proof_source_header(&bytes, &header, -1);
	tl_proof_source_end(&source);
	tl_chain_block_chain_id(&checkpoint.chain_id, &header);
	checkpoint.size = header.height;
	checkpoint.root = header.history_root;
	tl_writer_init(&writer, text, sizeof(text));
	tl_proof_checkpoint_encode(&writer, &checkpoint);
	tl_error_check(tl_writer_finish(&writer), "tree head");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text, (int) writer.size));
}

/* ledger.consistency_proof(old_size, new_size) -> bytea[] */
Datum
tl_consistency_proof(PG_FUNCTION_ARGS)
{
	int64		old_size = PG_GETARG_INT64(0);
	int64		new_size = PG_GETARG_INT64(1);
	TlHash		path[TL_MERKLE_PATH_MAX];
	unsigned	count = TL_MERKLE_PATH_MAX;
	Datum		hashes[TL_MERKLE_PATH_MAX];
	TlProofSource source;
	TlBlockHeader header;
	TlSpan		bytes;
	uint64_t	newest;

	if (old_size <= 0 || old_size > new_size)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the old size must be greater than zero and not greater than the new size"),
				errhint("The second line of a tree head is its size; give the smaller one first."));
	tl_proof_source_begin(&source);
	tl_proof_source_head(&bytes, &header, &newest, new_size);
	tl_proof_source_check(tl_merkle_consistency_path(path, &count, old_size, new_size,
													 tl_proof_source_history_node, NULL),
						  "history of the blocks");
	tl_proof_source_end(&source);
	for (unsigned i = 0; i < count; i++)
		hashes[i] = tl_chain_bytes(path[i].bytes, TL_HASH_SIZE);
	PG_RETURN_ARRAYTYPE_P(construct_array(hashes, (int) count, BYTEAOID, -1, false,
										  TYPALIGN_INT));
}

/* Everything that proves, with the head at that size or the newest one. */
static void
read_proof(TlReceipt *out, Oid relation, const TlRefBytes *ref, int64_t size)
{
	TlProofSource source;
	TlBlockHeader head;
	TlSectionLeaf section;
	TlRef		definition;
	TlRef		unused;
	TlRefBytes	definition_ref;
	uint64_t	newest;
	uint64_t	height;
	uint64_t	definition_height;

	memset(out, 0, sizeof(*out));
	tl_proof_source_begin(&source);
	tl_proof_source_genesis(&out->genesis_header, &out->genesis_body);
	tl_proof_source_restart(&out->restart);
	tl_proof_source_head(&out->head, &head, &newest, size);
	out->epochs = tl_proof_source_epochs(head.epoch);
	tl_proof_source_row(&out->row, &height, &definition, relation, ref,
						newest);
	tl_proof_source_covers(size, height, ref);
	out->row.block_path = tl_proof_source_history(height, head.height);
	tl_proof_source_check(tl_chain_section_decode(&section, out->row.section.data,
												  out->row.section.size),
						  "leaf of a section");
	if (section.kind == TL_SECTION_PUBLIC)
		tl_proof_source_outcome(&out->outcome, height, &head, size != TL_SIZE_NEWEST);
	out->has_definition = (definition.member != 0);
	if (out->has_definition)
	{
		tl_table_ref_pack(&definition_ref, &definition);
		tl_proof_source_row(&out->definition, &definition_height, &unused,
							tl_table_definition_relation(), &definition_ref, newest);
		tl_proof_source_covers(size, definition_height, &definition_ref);
		out->definition.block_path = tl_proof_source_history(definition_height,
															 head.height);
	}
	out->certificate = tl_proof_source_certificate(&head);
	tl_proof_source_end(&source);
}

static void
show(TlReceipt *receipt)
{
	TlReceiptColumn *columns = palloc0(sizeof(TlReceiptColumn) * TL_COLUMN_COUNT_MAX);
	TlWriter	writer;

	tl_writer_init(&writer, NULL, 0);
	tl_error_check(tl_proof_show(receipt, columns, &writer), "receipt");
	tl_writer_init(&writer, allocate(writer.size + 1), writer.size);
	tl_error_check(tl_proof_show(receipt, columns, &writer), "receipt");
}

static void
check(const TlReceipt *receipt)
{
	TlVerdict	verdict;

	tl_proof_check(&verdict, receipt, NULL, NULL);
	if (!verdict.valid)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain does not prove the row"),
				errdetail("The receipt would be refused: %s.", verdict.reason),
				errhint("Run SELECT * FROM ledger.verify(mode => 'full')."));
}

static char *
write_json(const TlReceipt *receipt)
{
	TlWriter	writer;
	size_t		size;
	char	   *text;

	tl_writer_init(&writer, NULL, 0);
	tl_proof_json_write(&writer, receipt);
	size = writer.size;
	text = allocate(size + 1);
	tl_writer_init(&writer, text, size);
	tl_proof_json_write(&writer, receipt);
	tl_error_check(tl_writer_finish(&writer), "receipt");
	text[size] = '\0';
	return text;
}

static void *
allocate(size_t size)
{
	if (size > TL_RECEIPT_SIZE_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("the receipt is too large"),
				errdetail("It would have more than %d bytes.", TL_RECEIPT_SIZE_MAX),
				errhint("Keep large values elsewhere, and their hashes in the ledger."));
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}
