/*-------------------------------------------------------------------------
 *
 * contract_body.h
 *	  What a contract's function in PL/pgSQL may say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_BODY_H
#define CONTRACT_BODY_H

#include "contract_query.h"

extern List *tl_contract_body(TlRefusals *refusals, const TlQueryScope *scope, Oid function,
							  const char *text);

#endif							/* CONTRACT_BODY_H */
