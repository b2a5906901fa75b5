/*-------------------------------------------------------------------------
 *
 * chain_member.h
 *	  Who belongs to a ledger: the leaf of one member, the root over all.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAIN_MEMBER_H
#define CHAIN_MEMBER_H

#include "crypto_curve.h"
#include "tl_limits.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

#define TL_MEMBER_ROLE_COUNT_MAX	16
#define TL_MEMBER_LEAF_SIZE_MAX \
	(41 + 3 * TL_XONLY_KEY_SIZE + TL_MEMBER_NAME_SIZE_MAX + \
	 TL_MEMBER_ROLE_COUNT_MAX * (1 + TL_NAME_SIZE_MAX))

/* What a member takes part in.  The numbers are part of the format. */
typedef enum TlMemberKind
{
	TL_MEMBER_VALIDATOR = 1,	/* has a log and votes */
	TL_MEMBER_PARTICIPANT = 2,	/* has a log */
	TL_MEMBER_OBSERVER = 3		/* reads */
} TlMemberKind;

typedef struct TlMember
{
	uint32_t	number;			/* in order of admission, the founder is 1 */
	uint8_t		kind;			/* a TlMemberKind */
	TlSpan		name;			/* UTF-8, 1 to TL_MEMBER_NAME_SIZE_MAX bytes */
	uint8_t		row_key[TL_XONLY_KEY_SIZE]; /* BIP-340, signs log rows */
	uint8_t		role_count;
	TlSpan		roles;			/* per role: size u8, name; ascending */
	bool		has_keys;		/* format 2: the following are there */
	uint8_t		governance_key[TL_XONLY_KEY_SIZE];	/* approves motions */
	uint8_t		sealing_key[TL_XONLY_KEY_SIZE]; /* reads sealed sections */
	uint8_t		recovery_key[TL_XONLY_KEY_SIZE];	/* kept offline */
} TlMember;

extern TlStatus tl_chain_member_encode(TlWriter *writer,
									   const TlMember *member);

/* name and roles point into data afterwards. */
extern TlStatus tl_chain_member_decode(TlMember *out,
									   const void *data, size_t size);

/* The header's members' hash; members ascend by number, keys differ. */
extern TlStatus tl_chain_members_hash(TlHash *out, const TlMember *members,
									  unsigned count);

/* The member of that number, or NULL. */
extern const TlMember *tl_chain_member_find(const TlMember *members,
											unsigned count, uint32_t number);

#endif							/* CHAIN_MEMBER_H */
