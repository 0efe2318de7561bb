import { CodedError } from '../../base/errors.ts';

export class ConfigError extends CodedError<'InvalidConfig'> {
  constructor(message: string, hint?: string) {
    super('InvalidConfig', message, hint === undefined ? {} : { hint });
  }
}
