/*-------------------------------------------------------------------------
 *
 * node_key.h
 *	  The row key of this member: a file, never SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NODE_KEY_H
#define NODE_KEY_H

#include "chain_member.h"
#include "crypto_curve.h"

extern void tl_node_key_create(uint8_t public_key[TL_XONLY_KEY_SIZE],
							   uint8_t secret_key[TL_SECRET_SIZE]);
extern void tl_node_key_load(uint8_t secret_key[TL_SECRET_SIZE],
							 const uint8_t public_key[TL_XONLY_KEY_SIZE]);
extern char *tl_node_key_try(uint8_t secret_key[TL_SECRET_SIZE],
							 const uint8_t public_key[TL_XONLY_KEY_SIZE]);
extern bool tl_node_key_is_usable(const uint8_t public_key[TL_XONLY_KEY_SIZE]);

extern bool tl_node_key_may_sign(bool test, int level);
extern void tl_node_key_put_recovery(TlMember *member, const bytea *recovery_key);
extern char *tl_node_key_path(const uint8_t public_key[TL_XONLY_KEY_SIZE],
							  const char *suffix);

#endif							/* NODE_KEY_H */
