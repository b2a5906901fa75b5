/*-------------------------------------------------------------------------
 *
 * contract_number.h
 *	  Numbers in text, which releases of PostgreSQL read differently.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_NUMBER_H
#define CONTRACT_NUMBER_H

#include "nodes/nodes.h"

#include "contract_refusal.h"

#define TL_CONTRACT_NUMBER_WHY	"PostgreSQL 16 reads 0x10 and 1_000 as numbers, and 15 does not"

extern int	tl_contract_number_in_source(const char *source);
extern bool tl_contract_number_in_literal(const char *literal);
extern bool tl_contract_number_from_text(Node *node);

#endif							/* CONTRACT_NUMBER_H */
