import {
  CreateBucketCommand,
  DeleteBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Radosgw, S3User } from './radosgw.ts';

/** What an operator does with buckets, as their owner. */
export class Buckets implements Disposable {
  readonly #client: S3Client;

  constructor(server: Radosgw, owner: S3User) {
    this.#client = new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      credentials: { accessKeyId: owner.accessKey, secretAccessKey: owner.secretKey },
    });
  }

  async make(bucket: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket: bucket }));
  }

  async remove(bucket: string): Promise<void> {
    await this.#client.send(new DeleteBucketCommand({ Bucket: bucket }));
  }

  async keepVersions(bucket: string): Promise<void> {
    await this.#client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  }

  /** Lets another user do certain things with a bucket and all in it. @param actions such as `s3:GetObject` */
  async allow(bucket: string, user: S3User, actions: readonly string[]): Promise<void> {
    const statement = {
      Effect: 'Allow',
      Principal: { AWS: [`arn:aws:iam:::user/${user.id}`] },
      Action: actions,
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    };
    await this.#client.send(
      new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }) }),
    );
  }

  /** Any key at all. */
  async put(bucket: string, key: string): Promise<void> {
    await this.#client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x' }));
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }
}
