/*-------------------------------------------------------------------------
 *
 * chain_writer.c
 *	  One section in the making: leaf hashes in, tree and manifest out.
 *
 * Used where this member's rows are batched, and where another member's section
 * is applied, so that both are stored in the same form.  Memory: the manifest
 * and one hash for each tile of 256 rows, in the context in which the writer was
 * begun.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "chain_writer.h"
#include "tl_error.h"

/* leaf.kind, row key and commitment are the caller's to set. */
void
tl_chain_writer_init(TlSectionWriter *writer, TlBuiltSection *built)
{
	writer->built = built;
	initStringInfo(&built->nodes);
	initStringInfo(&built->manifest);
	tl_chain_manifest_init(&writer->manifest, NULL);
	tl_merkle_range_init(&writer->tile);
	tl_merkle_range_init(&writer->tiles);
}

/* The next row, in order of ref. */
void
tl_chain_writer_append(TlSectionWriter *writer, const TlRefBytes *ref,
					   const TlHash *leaf_hash)
{
	TlBuiltSection *built = writer->built;
	uint8_t		entry[TL_MANIFEST_ENTRY_SIZE_MAX];
	TlWriter	bytes;
	TlRef		unpacked;

	tl_table_ref_unpack(&unpacked, ref);
	tl_writer_init(&bytes, entry, sizeof(entry));
	writer->manifest.writer = &bytes;
	tl_error_check(tl_chain_manifest_put(&writer->manifest, &unpacked, leaf_hash),
				   "manifest of a section");
	appendBinaryStringInfo(&built->manifest, (char *) entry, bytes.size);
	tl_error_check(tl_merkle_range_append(&writer->tile, leaf_hash),
				   "tree of a section");
	if (writer->tile.size == TL_TILE_ROWS)
	{
		TlHash		root;

		tl_merkle_range_root(&writer->tile, &root);
		appendBinaryStringInfo(&built->nodes, (char *) root.bytes, TL_HASH_SIZE);
		tl_error_check(tl_merkle_range_append(&writer->tiles, &root),
					   "tree of a section");
		tl_merkle_range_init(&writer->tile);
	}
	if (built->leaf.row_count++ == 0)
		built->first_ref = *ref;
	built->last_ref = *ref;
}

/*
 * The leaf as it is so far.  RFC 6962 splits at powers of two, so the tree over
 * the rows is the tree over the full tiles with the root of the last, shorter one
 * behind.
 */
void
tl_chain_writer_leaf(const TlSectionWriter *writer, TlSectionLeaf *leaf, TlHash *leaf_hash)
{
	const TlBuiltSection *built = writer->built;
	TlMerkleRange tiles = writer->tiles;

	if (writer->tile.size > 0)
	{
		TlHash		rest;

		tl_merkle_range_root(&writer->tile, &rest);
		tl_error_check(tl_merkle_range_append(&tiles, &rest), "tree of a section");
	}
	*leaf = built->leaf;
	tl_merkle_range_root(&tiles, &leaf->root);
	tl_error_check(tl_chain_section_leaf_hash(leaf_hash, leaf,
											  leaf->kind == TL_SECTION_PRIVATE ?
											  built->commitment : NULL),
				   "leaf of a section");
}

/* No row follows. */
void
tl_chain_writer_finish(TlSectionWriter *writer)
{
	tl_chain_writer_leaf(writer, &writer->built->leaf, &writer->built->leaf_hash);
}
