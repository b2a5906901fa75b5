/*-------------------------------------------------------------------------
 *
 * node_identity.h
 *	  Who this database is on its ledger.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include "consensus_message.h"
#include "node_mark.h"
#include "table_issue.h"
#include "tl_limits.h"

typedef struct TlNodeIdentity
{
	TlIdentity	table;			/* what the table floor needs to know */
	char		name[TL_MEMBER_NAME_SIZE_MAX + 1];
	TlHash		chain_id;
	uint8_t		nonce[TL_NONCE_SIZE];
	uint8_t		public_key[TL_XONLY_KEY_SIZE];
	bool		ordered;		/* consensus makes the blocks */
	bool		rejoining;		/* among several: nothing of tables is signed until
								 * a block has ordered its REJOIN */
} TlNodeIdentity;

extern void tl_node_identity_init(void);
extern const TlNodeIdentity *tl_node_identity(void);
extern const TlNodeIdentity *tl_node_identity_reload(void);
extern bool tl_node_identity_has_signed(const TlMark *mark,
										uint16_t incarnation);
extern Oid	tl_node_relation(const char *name, bool missing_ok);

#endif							/* NODE_IDENTITY_H */
