import type { FaultCode } from '../../errors.ts'
import type { MessageFault, MessageFaultKind } from '../../http1/fault.ts'

const CODES: Readonly<Record<MessageFaultKind, FaultCode>> = {
  malformed: 'bad_request',
  preface: 'bad_request',
  incomplete: 'bad_request',
  unasked: 'bad_request',
  head_too_large: 'head_too_large',
  target_too_long: 'target_too_long',
  coding: 'coding_refused',
  version: 'version_refused',
}

/** The reason for which a request that cannot be read is refused. */
export const faultCodeOf = ({ kind }: MessageFault): FaultCode => CODES[kind]
