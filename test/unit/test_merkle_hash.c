/*-------------------------------------------------------------------------
 *
 * test_merkle_hash.c
 *	  The three hashes of a tree, from their definition.
 *
 *-------------------------------------------------------------------------
 */
#include "merkle_hash.h"

#include "crypto_hash.h"
#include "unit.h"

#include <string.h>

static bool
same(const TlHash *left, const TlHash *right)
{
	return memcmp(left, right, TL_HASH_SIZE) == 0;
}

static void
empty_root_is_the_hash_of_nothing(void)
{
	TlHash		root;
	TlHash		expected;

	unit_hex(expected.bytes, TL_HASH_SIZE,
			 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	tl_merkle_empty_root(&root);
	UNIT_CHECK(same(&root, &expected));
}

static void
leaf_has_prefix_0(void)
{
	uint8_t		bytes[1 + 100] = {0};

	unit_random_bytes(bytes + 1, sizeof(bytes) - 1);
	for (size_t size = 0; size < sizeof(bytes); size++)
	{
		TlHash		leaf;
		TlHash		expected;

		unit_context("leaf of %zu bytes", size);
		tl_crypto_sha256(&expected, bytes, 1 + size);
		tl_merkle_leaf_hash(&leaf, bytes + 1, size);
		UNIT_CHECK(same(&leaf, &expected));
	}
}

static void
node_has_prefix_1(void)
{
	uint8_t		bytes[1 + 64];
	TlHash		left;
	TlHash		right;
	TlHash		expected;
	TlHash		node;

	unit_random_bytes(bytes, sizeof(bytes));
	bytes[0] = 1;
	memcpy(&left, bytes + 1, TL_HASH_SIZE);
	memcpy(&right, bytes + 33, TL_HASH_SIZE);
	tl_crypto_sha256(&expected, bytes, sizeof(bytes));

	tl_merkle_node_hash(&node, &left, &right);
	UNIT_CHECK(same(&node, &expected));
	tl_merkle_node_hash(&node, &right, &left);
	UNIT_CHECK(!same(&node, &expected));

	/* A leaf with the bytes of a node is another hash. */
	tl_merkle_leaf_hash(&node, bytes + 1, 64);
	UNIT_CHECK(!same(&node, &expected));
}

static void
node_may_replace_its_child(void)
{
	TlHash		left;
	TlHash		right;
	TlHash		expected;
	TlHash		node;

	unit_random_bytes(&left, sizeof(left));
	unit_random_bytes(&right, sizeof(right));
	tl_merkle_node_hash(&expected, &left, &right);
	node = left;
	tl_merkle_node_hash(&node, &node, &right);
	UNIT_CHECK(same(&node, &expected));
	node = right;
	tl_merkle_node_hash(&node, &left, &node);
	UNIT_CHECK(same(&node, &expected));
}

UNIT_MAIN(UNIT_CASE(empty_root_is_the_hash_of_nothing),
		  UNIT_CASE(leaf_has_prefix_0),
		  UNIT_CASE(node_has_prefix_1),
		  UNIT_CASE(node_may_replace_its_child))
