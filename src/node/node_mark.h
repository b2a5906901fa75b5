/*-------------------------------------------------------------------------
 *
 * node_mark.h
 *	  How far this member has signed, kept beside its key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_MARK_H
#define NODE_MARK_H

#include "crypto_curve.h"
#include "tl_types.h"

/* The last block that was signed and stored. */
typedef struct TlMark
{
	uint16_t	incarnation;	/* of the member, when it signed */
	uint64_t	height;
	uint64_t	view;
	TlHash		hash;
	bool		ordered;		/* consensus makes the blocks, not this member alone */
} TlMark;

extern bool tl_node_mark_read(TlMark *out,
							  const uint8_t public_key[TL_XONLY_KEY_SIZE]);
extern bool tl_node_mark_in_use(const uint8_t public_key[TL_XONLY_KEY_SIZE]);
extern void tl_node_mark_open(const uint8_t public_key[TL_XONLY_KEY_SIZE]);
extern void tl_node_mark_write(const TlMark *mark);

#endif							/* NODE_MARK_H */
