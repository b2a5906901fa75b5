/*-------------------------------------------------------------------------
 *
 * contract_meter.h
 *	  What functions in PL/pgSQL do while a call runs: counted, and looked at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_METER_H
#define CONTRACT_METER_H

extern void tl_contract_meter_init(void);

/* Around one call of a contract. */
extern void tl_contract_meter_begin(Oid schema);
extern void tl_contract_meter_end(void);

#endif							/* CONTRACT_METER_H */
